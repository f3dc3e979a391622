"""What there is to say of each login beside its options, in one TOML file per name."""

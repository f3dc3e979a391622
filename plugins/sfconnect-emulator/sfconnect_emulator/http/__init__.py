"""The org on a real socket."""

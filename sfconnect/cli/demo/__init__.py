"""The main job shown on an emulated org that makes trouble, and proven."""

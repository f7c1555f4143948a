"""The robot of a WeCom group."""

"""The custom robot of a DingTalk group."""

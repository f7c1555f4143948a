"""Leaders: what they do at the exchange becomes signals, each fill once and in its order."""

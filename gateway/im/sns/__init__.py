"""sns: friends, blacklists and friend groups, written in the call and read at once."""

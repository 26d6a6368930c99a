"""The leaderboard: a static site from logs, without a server, a network or a library from elsewhere."""

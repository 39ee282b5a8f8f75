"""What several tests share: nouns for what they look at."""

"""Sequential methods, which write one solution after another, each in the light of those before."""

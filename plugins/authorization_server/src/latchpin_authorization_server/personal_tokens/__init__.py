"""Personal access tokens: what a person gives to a program that cannot sign in by itself."""

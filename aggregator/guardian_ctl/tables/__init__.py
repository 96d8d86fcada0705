"""The API's answers as tables."""

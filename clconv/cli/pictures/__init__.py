"""Pictures as users give them: which files are meant, and how one is opened."""

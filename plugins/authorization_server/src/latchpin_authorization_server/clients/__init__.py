"""Who asks for tokens: clients that were entered, that registered themselves, or that publish a document."""

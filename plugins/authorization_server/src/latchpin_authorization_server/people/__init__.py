"""What people allowed and made: the applications that act for them, their personal tokens, and how all that ends."""

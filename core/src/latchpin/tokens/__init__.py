"""Users' tokens: asked for, sealed, renewed once across all workers, given out, taken back."""

"""`tocsin evaluate`: labelled footage through the production pipeline, and how well it did."""

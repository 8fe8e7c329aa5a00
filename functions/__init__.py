"""The pipeline's steps, one package each. They never import each other."""

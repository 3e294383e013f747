"""How commands run DVC: the pipeline in the workspace after a kill, and many models as one experiment."""

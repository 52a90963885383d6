"""Training and measuring engine `local`: scripts of this repository, in no wheel."""

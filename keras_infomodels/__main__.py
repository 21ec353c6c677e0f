"""`python -m keras_infomodels` is the command `infomodels`."""

from keras_infomodels.cli import main

raise SystemExit(main())

from keras_infomodels.cli import main

raise SystemExit(main())

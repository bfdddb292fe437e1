"""`python -m appliance.cli` is the command `greffier`."""

import sys

from appliance.cli.main import main

sys.exit(main())

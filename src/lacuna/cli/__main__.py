"""``python -m lacuna.cli``, for launchers that start modules."""

from lacuna.cli import main

raise SystemExit(main())

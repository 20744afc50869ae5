"""`python -m tidegate.app.cli`: how the supervisor starts its parts."""

from tidegate.app.cli.program import main

if __name__ == "__main__":
    main()

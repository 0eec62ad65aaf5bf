"""``python -m nn moons``: trains a network of scalar nodes on real data and shows what it learned."""

from nn.cli.commands import main

if __name__ == "__main__":
    main()

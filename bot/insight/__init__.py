"""What the votes say: rankings, leanings, agreement, and pictures of them.

`arena.py` has the votes as columns; `results.py` names what is found in them; everything
between the two is arithmetic, and knows neither the database nor Discord.
"""

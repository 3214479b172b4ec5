# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {name: python3, display_name: Python 3, language: python}
# ---

# %% [markdown]
# # Which measure should I use?
#
# The scores of 24 measures in six tests come with resi, so that nothing has to be trained here. [The
# page](../tutorials/which_measure.md) goes with it.

# %%
import resi

resi.plot.ranks("baseline")

# %% [markdown]
# Each dot is a measure's rank in one test on one architecture. Which measures cannot be distinguished from the best at
# telling models apart that were trained with different shares of random labels?

# %%
ranked = resi.ranks("baseline", domain="vision", test="label_randomization")
ranked.table.filter("best")

# %% [markdown]
# The scores behind it on one architecture, with 95 % intervals over other networks of the same kind and the level of
# chance:

# %%
resi.plot.scores("baseline", domain="vision", test="label_randomization", architecture="tiny_vgg")

# %% [markdown]
# Another test asks for something else, and other measures lead:

# %%
resi.plot.scores("baseline", domain="vision", test="augmentation", architecture="tiny_vgg")

# %% [markdown]
# Do two measures differ over architectures, too? A bar joins those that cannot be distinguished.

# %%
resi.plot.critical_difference("baseline", domain="graph")

# %% [markdown]
# ## Beside the value: chance
#
# Two representations that have nothing in common, with few samples for many features:

# %%
import numpy as np

draws = np.random.default_rng(3)
R, S = draws.normal(size=(50, 200)), draws.normal(size=(50, 200))
table = resi.pairwise({"R": R, "S": S}, ["cka", "procrustes", "jaccard", "svcca"], null=200)
table.select("measure", "value", "null_mean", "p_value", "calibrated", "note")

# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {name: python3, display_name: Python 3, language: python}
# ---

# %% [markdown]
# # Your own models
#
# Three small networks on handwritten digits: which of their layers compute the same, and which measure can be trusted
# to say so? With networks of your own, only the first cell changes. [The tutorial](../tutorials/own_models.md) says
# what the numbers mean. It takes half a minute.

# %%
import sys

sys.path.append("../tutorials")
from digits_models import NETWORKS, accuracy, digits, logits, train

images = digits()[2]
nets = {kind: train(kind, seed=0) for kind in NETWORKS}
wrong_labels = {"true": 0.0, "half": 0.5, "random": 1.0}
trained = {(name, seed): train("plain", seed, share) for name, share in wrong_labels.items() for seed in range(5)}

# %% [markdown]
# ## Which layers are alike?

# %%
import resi

resi.layers(nets["vit"], images)

# %%
found = {kind: resi.extract(net, images, pooling="mean") for kind, net in nets.items()}
table = resi.pairwise(found, measures=["cka", "jaccard"], diagonal=True)
table

# %%
resi.plot.heatmap(table)

# %% [markdown]
# Would other images have given about the same? And is it more than chance?

# %%
pair = (found["plain"]["blocks.3"], found["vit"]["blocks.3"])
resi.compare(*pair, "cka", bootstrap=200), resi.compare(*pair, "cka", null=200)

# %%
resi.plot.convergence(*pair, ["cka", "jaccard"])

# %% [markdown]
# ## Which measure can be trusted?
#
# Five networks each saw true labels, half of the labels at random, and all at random. Which measure finds out?

# %%
models = []
for (setting, seed), net in trained.items():
    reps = resi.extract(net, images, "blocks.?", pooling="mean")
    models.append(resi.Model(reps, setting=setting, seed=seed, accuracy=accuracy(net), logits=logits(net)))
result = resi.evaluate(models, "label_randomization", measures="fast")
result

# %%
resi.plot.scores(result.scores)

# %% [markdown]
# Which of the five networks trained on true labels predict alike, and do measures find them more similar?

# %%
resi.evaluate(models, "output_correlation", ["cka", "procrustes", "jaccard"], groups=["true"])

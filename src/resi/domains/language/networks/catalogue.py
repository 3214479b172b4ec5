"""The built-in families of networks; a new one is a file beside this one and a line here."""

from __future__ import annotations

from resi.domains.language.networks.albert import AlbertNetwork
from resi.domains.language.networks.bert import BertNetwork
from resi.domains.language.networks.smollm2 import SmolLM2Network

NETWORKS = (AlbertNetwork(), BertNetwork(), SmolLM2Network())

"""The vision domain: image classification with ResNets, VGGs and vision transformers."""

"""Networks for pictures, (B, C, H, W) in and (B, classes) out: those that the field learned from, and their blocks.

All are made of torch's own layers; weights are drawn from the seed alone. `receptive_field` and `output_length` are the
twins of `seqloom.nn`'s in two dimensions.
"""

from __future__ import annotations

from seqloom.nn.images.blocks import HighwayConv2d, Inception2d, ResidualBlock
from seqloom.nn.images.classic import VGG, AlexNet, LeNet5
from seqloom.nn.images.field import fields_of, output_length, receptive_field
from seqloom.nn.images.googlenet import GoogLeNet
from seqloom.nn.images.network import ImageNetwork
from seqloom.nn.images.resnet import ResNet

__all__ = [
    "VGG",
    "AlexNet",
    "GoogLeNet",
    "HighwayConv2d",
    "ImageNetwork",
    "Inception2d",
    "LeNet5",
    "ResNet",
    "ResidualBlock",
    "fields_of",
    "output_length",
    "receptive_field",
]

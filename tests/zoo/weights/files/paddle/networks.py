"""PaddleClas's residual networks in ``paddle.nn``, after reference/paddleclas.md, section 1.

For a Python that has paddlepaddle; residua is not imported. A network is told by a dictionary with
the fields of our rows (``block``, ``depths``, ``widths``, ``stem``, ``shortcut``, …), those left
out as in ``DEFAULTS``. What matters for an exported program is kept as PaddleClas has it: layers
are constructed in its order, ``legendary`` networks have the names that Paddle makes up and others
names of their own, ``BatchNorm`` brings its ReLU along in the latter, and each convolution holds an
unused pool.
"""

import paddle
from paddle import nn
from paddle.nn import functional

DEFAULTS = {
    "stem": "7x7", "stem_widths": [4], "shortcut": "projection", "first_projection": True,
    "groups": 1, "base_width": 64, "scale": 1, "se_reduction": 0, "input_channels": 3,
    "num_classes": 7,
}  # fmt: skip
EXPANSION = {"basic": 1, "bottleneck": 4, "res2net": 4}


class ConvBN(nn.Layer):
    """Convolution, normalisation, perhaps ReLU; with ``average``, vd's pool before it."""

    def __init__(self, row, inputs, outputs, kernel, stride=1, groups=1, average=False, act=None,
                 name=""):  # fmt: skip
        super().__init__()
        legendary = row["legendary"]
        self.average, self.act = average, act if legendary else None
        self.pool = (
            nn.AvgPool2D(2, stride, padding="SAME", ceil_mode=True)
            if legendary
            else nn.AvgPool2D(2, 2, padding=0, ceil_mode=True)
        )
        norm = f"bn_{name}" if name == "conv1" else f"bn{name[3:]}"
        named = {} if legendary else {"weight_attr": paddle.ParamAttr(name=f"{name}_weights")}
        self.conv = nn.Conv2D(
            inputs, outputs, kernel, 1 if average else stride, (kernel - 1) // 2, groups=groups,
            bias_attr=False, **named,
        )  # fmt: skip
        self.bn = (
            nn.BatchNorm(outputs)
            if legendary
            else nn.BatchNorm(
                outputs, act=act, param_attr=paddle.ParamAttr(name=f"{norm}_scale"),
                bias_attr=paddle.ParamAttr(name=f"{norm}_offset"),
                moving_mean_name=f"{norm}_mean", moving_variance_name=f"{norm}_variance",
            )
        )  # fmt: skip

    def forward(self, x):
        x = self.bn(self.conv(self.pool(x) if self.average else x))
        return functional.relu(x) if self.act else x


class Attention(nn.Layer):
    def __init__(self, channels, reduction, name):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.squeeze = self._linear(channels, channels // reduction, f"{name}_sqz")
        self.excitation = self._linear(channels // reduction, channels, f"{name}_exc")

    def _linear(self, inputs, outputs, name):
        return nn.Linear(
            inputs, outputs, weight_attr=paddle.ParamAttr(name=f"{name}_weights"),
            bias_attr=paddle.ParamAttr(name=f"{name}_offset"),
        )  # fmt: skip

    def forward(self, x):
        y = paddle.squeeze(self.pool(x), axis=[2, 3])
        y = functional.sigmoid(self.excitation(functional.relu(self.squeeze(y))))
        return x * paddle.unsqueeze(y, axis=[2, 3])


class Block(nn.Layer):
    def __init__(self, row, inputs, width, stride, project, average, name):
        super().__init__()
        outputs = width * EXPANSION[row["block"]]
        self.kind, self.stride, self.scale = row["block"], stride, row["scale"]
        inner = width * row["base_width"] // 64 * row["groups"]
        if self.kind == "basic":
            self.conv0 = ConvBN(row, inputs, width, 3, stride, act="relu", name=f"{name}_branch2a")
            self.conv1 = ConvBN(row, width, width, 3, name=f"{name}_branch2b")
        elif self.kind == "bottleneck":
            self.conv0 = ConvBN(row, inputs, inner, 1, act="relu", name=f"{name}_branch2a")
            self.conv1 = ConvBN(
                row, inner, inner, 3, stride, row["groups"], act="relu", name=f"{name}_branch2b"
            )
            self.conv2 = ConvBN(row, inner, outputs, 1, name=f"{name}_branch2c")
        else:
            part = width * row["base_width"] // 64
            self.conv0 = ConvBN(
                row, inputs, part * self.scale, 1, act="relu", name=f"{name}_branch2a"
            )
            self.parts = nn.LayerList(
                ConvBN(row, part, part, 3, stride, act="relu", name=f"{name}_branch2b_{s + 1}")
                for s in range(self.scale - 1)
            )
            self.last_pool = nn.AvgPool2D(kernel_size=3, stride=stride, padding=1)
            self.conv2 = ConvBN(row, part * self.scale, outputs, 1, name=f"{name}_branch2c")
        self.attention = (
            Attention(outputs, row["se_reduction"], f"fc_{name}") if row["se_reduction"] else None
        )
        self.short = None
        if project:
            self.short = ConvBN(
                row, inputs, outputs, 1, stride, average=average, name=f"{name}_branch1"
            )
        self.turned = not row["legendary"]  # paddle.add(x=short, y=conv2) there

    def branch(self, x):
        if self.kind == "basic":
            return self.conv1(self.conv0(x))
        if self.kind == "bottleneck":
            return self.conv2(self.conv1(self.conv0(x)))
        parts = paddle.split(self.conv0(x), self.scale, 1)
        results = []
        for index, conv in enumerate(self.parts):
            joined = index and self.stride == 1
            results.append(conv(parts[index] + results[-1] if joined else parts[index]))
        results.append(parts[-1] if self.stride == 1 else self.last_pool(parts[-1]))
        return self.conv2(paddle.concat(results, axis=1))

    def forward(self, x):
        y = self.branch(x)
        y = self.attention(y) if self.attention is not None else y
        short = x if self.short is None else self.short(x)
        return functional.relu(
            paddle.add(x=short, y=y) if self.turned else paddle.add(x=y, y=short)
        )


class ResNet(nn.Layer):
    """Pictures [N, 3, H, W] → logits, or what ``ending`` ("softmax", "sigmoid") makes of them."""

    def __init__(self, row, ending="softmax"):
        super().__init__()
        row = DEFAULTS | row
        self.row, self.ending = row, ending
        deep, widths = row["stem"] == "deep", row["stem_widths"]
        stem, inputs = [], row["input_channels"]
        for index, width in enumerate(widths):
            name = f"conv1_{index + 1}" if deep else "conv1"
            kernel, stride = (3 if deep else 7), (2 if index == 0 else 1)
            stem.append(ConvBN(row, inputs, width, kernel, stride, act="relu", name=name))
            inputs = width
        self.stem = nn.Sequential(*stem)
        self.max_pool = nn.MaxPool2D(kernel_size=3, stride=2, padding=1)
        blocks = []
        for stage, (depth, width) in enumerate(zip(row["depths"], row["widths"], strict=True)):
            for index in range(depth):
                first = stage == 0 and index == 0
                project = index == 0 and (row["first_projection"] or stage > 0)
                blocks.append(Block(
                    row, inputs, width, 2 if index == 0 and stage > 0 else 1, project,
                    row["shortcut"] == "average" and not first, f"res{stage + 2}{chr(97 + index)}",
                ))  # fmt: skip
                inputs = width * EXPANSION[row["block"]]
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.flatten = nn.Flatten()
        self.features = inputs
        self.fc = nn.Linear(inputs, row["num_classes"])

    def forward(self, x):
        x = self.pool(self.blocks(self.max_pool(self.stem(x))))
        legendary = self.row["legendary"]
        x = self.flatten(x) if legendary else paddle.reshape(x, shape=[-1, self.features])
        x = self.fc(x)
        if self.ending == "softmax":
            return functional.softmax(x, axis=-1)
        return functional.sigmoid(x) if self.ending == "sigmoid" else x


def randomise(network, seed):
    """Random weights under which activations neither die nor explode; statistics of their own."""
    import numpy as np

    draw = np.random.default_rng(seed)
    for name, tensor in network.state_dict().items():
        shape = tensor.shape
        if name.endswith("_mean"):
            value = draw.normal(0, 0.2, shape)
        elif name.endswith("_variance"):
            value = draw.uniform(0.5, 2, shape)
        elif ".bn." in name and name.endswith("weight"):
            value = draw.uniform(0.5, 1.2, shape)
        elif name.endswith("bias"):
            value = draw.normal(0.1, 0.3, shape)
        else:
            fan = shape[0] if len(shape) == 2 else shape[1] * shape[2] * shape[3]
            value = draw.normal(0, (2 / fan) ** 0.5, shape)
        tensor.set_value(value.astype("float32"))


def settle(network, pictures, seed):
    """Give the normalisations statistics near those of ``pictures``.

    Without, the answers of a deep random network hardly depend on what it sees.
    """
    import numpy as np

    norms = [layer for layer in network.sublayers() if isinstance(layer, nn.BatchNorm)]
    for norm in norms:
        norm._momentum = 0.0
    network.train()
    with paddle.no_grad():
        network(paddle.to_tensor(pictures))
    draw = np.random.default_rng(seed)
    for norm in norms:
        norm._momentum = 0.9
        for tensor, spread in ((norm._mean, 0.1), (norm._variance, 0.2)):
            noise = np.exp(draw.normal(0, spread, tensor.shape)).astype("float32")
            tensor.set_value(tensor.numpy() * noise)
    network.eval()

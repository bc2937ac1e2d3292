"""The recurrent cells once more in float64 NumPy: one sample, one step, one gate at a time, from the equations alone.

Knows nothing of seqloom. Every gate has its own weights in a dict; random draws (zoneout, candidate dropout) come in as
arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

GATES = {"elman": "h", "jordan": "h", "gru": "rzn", "lstm": "ifgo"}


def _softplus(a):
    return np.log1p(np.exp(-np.abs(a))) + np.maximum(a, 0)


FUNCTIONS = {
    "tanh": np.tanh,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "relu": lambda a: np.maximum(a, 0),
    "leaky_relu": lambda a: np.where(a > 0, a, 0.01 * a),
    "elu": lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0))),
    "softsign": lambda a: a / (1 + np.abs(a)),
    "softplus": _softplus,
    "identity": lambda a: a,
    "hard_sigmoid": lambda a: np.clip(a / 6 + 0.5, 0, 1),
    "hard_sigmoid_02": lambda a: np.clip(0.2 * a + 0.5, 0, 1),
}


@dataclass
class Twin:
    """A cell with its weights: (I, G·H) and so on as the library lays them out, taken apart gate by gate here."""

    kind: str
    weights: dict[str, np.ndarray]
    activation: str = "tanh"
    gate_activation: str = "sigmoid"
    output_activation: str = "sigmoid"
    reset_after: bool = True
    coupled: bool = False
    layer_norm: bool = False
    epsilon: float = 1e-5
    cell_clip: float | None = None
    w: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        self.gates = "fgo" if self.coupled else GATES[self.kind]
        self.size = self.weights["w_x"].shape[1] // len(self.gates)
        for name in ("w_x", "w_h", "bias", "bias_h"):
            for k, gate in enumerate(self.gates):
                whole = self.weights.get(name)
                if whole is not None:
                    self.w[name, gate] = whole[..., k * self.size : (k + 1) * self.size]
        peephole = self.weights.get("peephole")
        if peephole is not None:
            for k, gate in enumerate("fo" if self.coupled else "ifo"):
                self.w["peephole", gate] = peephole[k]
        slope = self.weights.get("slope")
        self.phi = FUNCTIONS[self.activation] if slope is None else (lambda a: np.where(a > 0, a, slope * a))
        self.sigma, self.psi = FUNCTIONS[self.gate_activation], FUNCTIONS[self.output_activation]

    def _norm(self, parts, gain_name):
        """Layer norm over all gates of one sample and step, with a gain."""
        if not self.layer_norm:
            return parts
        joined = np.concatenate([parts[g] for g in self.gates])
        normal = (joined - joined.mean()) / np.sqrt(((joined - joined.mean()) ** 2).mean() + self.epsilon)
        normal = normal * self.weights[gain_name]
        return {g: normal[k * self.size : (k + 1) * self.size] for k, g in enumerate(self.gates)}

    def _sums(self, v, mask, matrix, gain, bias):
        """For each gate (v ⊙ d_gate) W_gate, normalised, plus bias."""
        parts = {}
        for k, gate in enumerate(self.gates):
            d = 1.0 if mask is None else (mask[k] if mask.ndim == 2 else mask)
            parts[gate] = (v * d) @ self.w[matrix, gate]
        parts = self._norm(parts, gain)
        return {gate: parts[gate] + self.w.get((bias, gate), 0.0) for gate in self.gates}

    def step(self, x, h, c, d_x, d_h, drop):
        """One step of one sample: the new h (or y) and c, before zoneout and mask."""
        a = self._sums(x, d_x, "w_x", "gain_x", "bias")
        u = self._sums(h, d_h, "w_h", "gain_h", "bias_h")
        if self.kind in ("elman", "jordan"):
            new = self.phi(a["h"] + u["h"])
            if self.kind == "jordan":
                new = self.psi(new @ self.weights["w_out"] + self.weights.get("bias_out", 0.0))
            return new, None
        if self.kind == "gru":
            r, z = self.sigma(a["r"] + u["r"]), self.sigma(a["z"] + u["z"])
            if self.reset_after:
                inner = r * u["n"]
            else:
                d = 1.0 if d_h is None else (d_h[2] if d_h.ndim == 2 else d_h)
                inner = (r * (h * d)) @ self.w["w_h", "n"] + self.w.get(("bias_h", "n"), 0.0)
            n = self.phi(a["n"] + inner) * drop
            return (1 - z) * n + z * h, None
        s = {gate: a[gate] + u[gate] for gate in self.gates}
        look = {gate: self.w.get(("peephole", gate), 0.0) for gate in "ifo"}
        f = self.sigma(s["f"] + look["f"] * c)
        i = 1 - f if self.coupled else self.sigma(s["i"] + look["i"] * c)
        c_new = f * c + i * (self.phi(s["g"]) * drop)
        if self.cell_clip is not None:
            c_new = np.clip(c_new, -self.cell_clip, self.cell_clip)
        o = self.sigma(s["o"] + look["o"] * c_new)
        shown = c_new
        if self.layer_norm:
            shown = (c_new - c_new.mean()) / np.sqrt(((c_new - c_new.mean()) ** 2).mean() + self.epsilon)
            shown = shown * self.weights["gain_c"]
        h_new = o * self.phi(shown)
        return (h_new @ self.weights["w_p"] if "w_p" in self.weights else h_new), c_new

    def run(self, x, h, c=None, *, mask=None, reverse=False, d_x=None, d_h=None, zeta_h=None, zeta_c=None, drop=None):
        """Outputs (B, T, S), final h and c of all samples. zeta_*: (B, T, ·) draws or a number; drop: (B, T, H)."""
        batch, steps = x.shape[:2]
        h, c = h.copy(), None if c is None else c.copy()
        y = np.zeros((batch, steps, h.shape[1]))
        for b in range(batch):
            for t in reversed(range(steps)) if reverse else range(steps):
                if mask is None or mask[b, t]:
                    new_h, new_c = self.step(
                        x[b, t],
                        h[b],
                        None if c is None else c[b],
                        None if d_x is None else d_x[b],
                        None if d_h is None else d_h[b],
                        1.0 if drop is None else drop[b, t],
                    )
                    if zeta_h is not None:
                        zeta = zeta_h[b, t] if isinstance(zeta_h, np.ndarray) else zeta_h
                        new_h = zeta * h[b] + (1 - zeta) * new_h
                    if c is not None and zeta_c is not None:
                        zeta = zeta_c[b, t] if isinstance(zeta_c, np.ndarray) else zeta_c
                        new_c = zeta * c[b] + (1 - zeta) * new_c
                    h[b] = new_h
                    if c is not None:
                        c[b] = new_c
                y[b, t] = h[b]
        return y, h, c


def scalar_philox(counter, key):
    """Philox4x32-10 with Python integers, one counter at a time."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 % 2**32, (p0 >> 32) ^ c[3] ^ k[1], p0 % 2**32]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c

"""from_keras: what it refuses, files that reach outside themselves, and damage, each in a sentence."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_cases import H, I, both, conv, dense, drawn, rnn, sequences

from oracles.keras_files import as_archive, as_hdf5, named
from seqloom.errors import FormatError, MissingDependencyError, SettingError
from seqloom.nn import from_keras

h5py = pytest.importorskip("h5py", reason="files of Keras are read by h5py: pip install '.[keras]'")

REFUSED: list[tuple[Any, str]] = [
    (
        ("Lambda", {"function": ["4wEAAAA=", None, None]}, []),
        r"'lambda' \(Lambda\) holds Python code.*nothing in a file",
    ),
    (("Package>Mine", {}, []), r"is a class of one's own \(Package>Mine\)"),
    (("ConvLSTM1D", {}, []), r"layer 'conv_lstm1d' \(ConvLSTM1D\).*has no counterpart"),
    (rnn("LSTM", activation="my_function"), r"layer 'lstm' \(LSTM\).*activation='my_function'"),
    (rnn("LSTM", activation={"class_name": "function", "config": "mine"}), "activation='mine'"),
    (rnn("GRU", recurrent_activation="gelu"), "recurrent_activation='gelu'"),
    (rnn("LSTM", return_state=True), "return_state=True"),
    (rnn("LSTM", time_major=True), "time_major=True"),
    (rnn("LSTM", zero_output_for_mask=True), "zero_output_for_mask=True"),
    (rnn("LSTM", dropout=1.0), "dropout=1.0"),
    (("LSTM", {"units": 0}, []), "units=0"),
    (("LSTM", {"units": True}, []), "units=True"),
    (("LSTM", {"units": 4, "use_bias": "yes"}, []), "use_bias='yes'"),
    (rnn("LSTM", brand_new=3), "its option brand_new=3"),
    (both("LSTM", "mul"), "merge_mode='mul'"),
    (conv(groups=3), "groups=3"),
    (conv(data_format="channels_first"), "channels_last"),
    (conv(padding="full"), "padding='full'"),
    (conv(dilation_rate=[1 << 40]), "dilation_rate=1099511627776"),
    (("MaxPooling1D", {"pool_size": [2], "strides": [2], "padding": "same"}, []), "padding='same'"),
    (("LayerNormalization", {"axis": [1], "epsilon": 0.1}, drawn((I,), (I,))), r"axis=\[1\]"),
    (("ReLU", {"max_value": 6.0}, []), "max_value"),
    (("Activation", {"activation": "mine"}, []), "activation='mine'"),
    (("TimeDistributed", {"layer": {"class_name": "LSTM", "config": {"name": "l"}}}, []), "it is around a LSTM"),
    (("InputLayer", {"batch_shape": [None, 3, 4, 5]}, []), "its shape is"),
]


@pytest.mark.parametrize(("layer", "said"), REFUSED, ids=[f"{one[0]} {said[-18:]}" for one, said in REFUSED])
def test_what_has_no_counterpart(layer, said, tmp_path):
    with pytest.raises(SettingError, match=said) as caught:
        from_keras(as_archive(tmp_path / "m.keras", [layer]))
    assert "\n" not in str(caught.value)


def test_a_module_of_ones_own_is_never_imported(tmp_path):
    layers = [rnn("LSTM")]
    told = named(layers)
    told[0] |= {"module": "antigravity", "registered_name": "LSTM"}
    model = {"class_name": "Sequential", "config": {"name": "s", "layers": told}}
    with pytest.raises(SettingError, match="class of one's own"):
        from_keras(as_archive(tmp_path / "m.keras", layers, model=model))


def fault(path: Path, said: str) -> None:
    with pytest.raises(FormatError, match=said) as caught:
        from_keras(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_arrays_that_do_not_fit(tmp_path):
    good = rnn("LSTM")
    for layers, said in (
        ([(good[0], good[1], good[2][:2])], "expected 3"),
        ([(good[0], good[1], [*good[2], good[2][0]])], "expected 3|more than expected"),
        ([(good[0], {**good[1], "units": 5}, good[2])], "has an array of shape"),
        ([(good[0], good[1], [good[2][0], good[2][1][:2], good[2][2]])], "has an array of shape"),
        ([good, dense(7, 2)], "reads 7 numbers, 4 come out"),
        ([rnn("LSTM", return_sequences=False), rnn("LSTM", H)], "reads sequences, one row of numbers"),
        ([(good[0], good[1], [np.full_like(a, np.nan) for a in good[2]])], "NaN"),
        ([(good[0], good[1], [a.astype(np.int32) for a in good[2]])], "floating-point"),
        ([], "has no layers"),
    ):
        fault(as_archive(tmp_path / "m.keras", layers), said)
        fault(as_hdf5(tmp_path / "m.h5", layers), said)


def hostile(tmp_path: Path, change: Any) -> Path:
    """An HDF5 model whose kernel was changed by `change(group, name)`."""
    path = as_hdf5(tmp_path / "m.h5", [rnn("SimpleRNN")])
    with h5py.File(path, "a") as file:
        group = file["model_weights/simple_rnn/simple_rnn"]
        del group["array_0:0"]
        change(group, "array_0:0")
    return path


def test_nothing_outside_the_file_is_read(tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["kernel"] = np.ones((I, H), dtype="f")
    (tmp_path / "raw").write_bytes(bytes(4 * I * H))

    def virtual(group: Any, name: str) -> None:
        layout = h5py.VirtualLayout((I, H), "f")
        layout[...] = h5py.VirtualSource(str(secret), "kernel", shape=(I, H))
        group.create_virtual_dataset(name, layout)

    for change, said in (
        (lambda g, n: g.__setitem__(n, h5py.ExternalLink(str(secret), "kernel")), "is a link to another place"),
        (lambda g, n: g.__setitem__(n, h5py.SoftLink("/model_weights/x")), "is a link to another place"),
        (virtual, "in another file"),
        (
            lambda g, n: g.create_dataset(n, (I, H), "f", external=[(str(tmp_path / "raw"), 0, 4 * I * H)]),
            "in another file",
        ),
        (lambda g, n: g.create_dataset(n, (1 << 40, H), "f", chunks=(1 << 10, H)), "are stored"),
        (lambda g, n: g.create_dataset(n, data=np.zeros((1 << 16, 64), "f"), compression="gzip"), "are stored"),
        (lambda g, n: g.create_dataset(n, (I, H), "f", chunks=(1, H), scaleoffset=3), "filter"),
        (lambda g, n: g.create_group(n), "should be an array"),
        (lambda g, n: g.create_dataset(n, (2,), h5py.ref_dtype), "floating-point"),
        (lambda g, n: None, "isn't there"),
    ):
        fault(hostile(tmp_path, change), said)


def test_strings_that_never_end_are_not_looked_for(tmp_path):
    path = as_hdf5(tmp_path / "m.h5", [rnn("SimpleRNN")])
    with h5py.File(path, "a") as file:
        text = file.attrs["model_config"]
        del file.attrs["model_config"]
        file.attrs["model_config"] = text.decode() if isinstance(text, bytes) else text  # of any length, in a heap
    assert from_keras(path)(sequences()).shape == (3, 11, H)
    data = bytearray(path.read_bytes())
    at = data.index(b"GCOL") + 16 + 8
    for size in (2**64 - 16, 2**63, len(data)):
        data[at : at + 8] = size.to_bytes(8, "little")
        path.write_bytes(data)
        fault(path, "strings are damaged")
    data[at : at + 8], data[at - 8 : at - 6] = bytes(8), bytes(2)  # room of no size, which HDF5 would go round in
    path.write_bytes(data)
    fault(path, "strings are damaged")


def archive_with(path: Path, **members: Any) -> Path:
    """A good archive with some members replaced; None leaves one out."""
    as_archive(path, [rnn("SimpleRNN")])
    with zipfile.ZipFile(path) as archive:
        held: dict[str, Any] = {name: archive.read(name) for name in archive.namelist()}
    held |= {name.replace("__", "."): data for name, data in members.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in held.items():
            if data is not None:
                archive.writestr(name, data)
    return path


def test_hostile_archives(tmp_path):
    path = tmp_path / "m.keras"
    fault(archive_with(path, config__json=None), "holds no config.json")
    fault(archive_with(path, config__json="{"), "JSON")
    fault(archive_with(path, config__json="[1]"), "expected a JSON object")
    fault(archive_with(path, config__json="{}"), "class_name")
    fault(archive_with(path, config__json="[" * 100_000 + "]" * 100_000), "JSON")
    fault(archive_with(path, config__json=b'{"a": "\xff"}'), "JSON")
    fault(archive_with(path, config__json=" " * (1 << 22)), "claims 4.0 MiB, unpacked from")
    fault(archive_with(path, metadata__json='{"keras_version": "9.1"}'), "names version '9.1'")
    fault(archive_with(path, metadata__json="{}"), "names version ''")
    fault(archive_with(path, **{f"m{k}": b"" for k in range(1200)}), "at most 1000 files")
    fault(archive_with(path, **{"model.weights.h5": b"\x89HDF\r\n\x1a\n" + bytes(300)}), "file of Keras")
    fault(as_hdf5(path, [rnn("SimpleRNN")], "7.0"), "names version '7.0'")
    path.write_bytes(b"PK\x03\x04")
    fault(path, "cut off")
    path.write_bytes(b"")
    fault(path, "neither")
    with h5py.File(path, "w") as file:
        file["kernel"] = np.ones(3)
    fault(path, "weights without the model")
    with pytest.raises(FileNotFoundError):
        from_keras(tmp_path / "absent.keras")
    with pytest.raises(FormatError, match="found a folder"):
        from_keras(tmp_path)


@pytest.mark.parametrize("write", [as_archive, as_hdf5])
def test_damage_anywhere_is_one_sentence(write, tmp_path):
    path = write(tmp_path / "m.keras", [rnn("LSTM"), dense(H, 2)])
    good, wild, said = path.read_bytes(), random.Random(3), []
    for _ in range(60):
        data = bytearray(good)
        if wild.random() < 0.3:
            data = data[: wild.randrange(len(data))]
        else:
            for _ in range(wild.randrange(1, 20)):
                data[wild.randrange(len(data))] = wild.randrange(256)
        path.write_bytes(data)
        try:
            model = from_keras(path)
        except (FormatError, SettingError) as error:
            said.append(str(error))
        else:
            assert model(sequences()).shape == (3, 11, 2)
    assert len(said) > 10
    assert not any("\n" in sentence for sentence in said)


def test_without_h5py(tmp_path, monkeypatch):
    path = as_archive(tmp_path / "m.keras", [rnn("LSTM")])
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r"h5py.*'\.\[keras\]'"):
        from_keras(path)

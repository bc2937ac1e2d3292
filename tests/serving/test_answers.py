"""What the server answers: the same as the models themselves, in each of its forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from running import Running
from small_models import HORIZON, LOOKBACK, Fitted

from seqloom import zoo


def tensor(values: np.ndarray, name: str = "past") -> dict[str, object]:
    return {"name": name, "shape": list(values.shape), "datatype": "FP64", "data": values.ravel().tolist()}


def test_windows_give_what_predict_gives(server: Running, forecaster: Fitted) -> None:
    windows = forecaster.windows(5)
    answer = server.http.post("/v2/models/hourly/infer", json={"id": "a", "inputs": [tensor(windows)]})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["model_name"], told["model_version"], told["id"]) == ("hourly", "1", "a")
    (output,) = told["outputs"]
    assert output["shape"] == [5, HORIZON]
    np.testing.assert_allclose(np.reshape(output["data"], (5, HORIZON)), forecaster.truth(5), rtol=1e-6)


def test_tritons_client_lists_checks_and_infers(server: Running, forecaster: Fitted) -> None:
    client = triton.InferenceServerClient(server.address.removeprefix("http://"))
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("hourly")
    assert client.is_model_ready("dates", "3")
    assert not client.is_model_ready("daily")
    assert {model["name"] for model in client.get_model_repository_index()} == {
        "hourly",
        "co2",
        "spam",
        "sine",
        "dates",
    }
    (told,) = client.get_model_metadata("hourly")["inputs"]
    assert told == {"name": "past", "datatype": "FP64", "shape": [-1, LOOKBACK, 1]}
    assert client.get_model_config("hourly")["output"][0]["dims"] == [HORIZON]
    windows, truth = forecaster.windows(3), forecaster.truth(3)
    for binary, packed in ((True, None), (False, None), (True, "gzip"), (True, "deflate")):
        given = triton.InferInput("past", list(windows.shape), "FP64")
        given.set_data_from_numpy(windows, binary_data=binary)
        wanted = [triton.InferRequestedOutput("forecast", binary_data=binary)]
        found = client.infer("hourly", [given], outputs=wanted, request_compression_algorithm=packed)
        values = found.as_numpy("forecast")
        assert values is not None
        np.testing.assert_allclose(values, truth, rtol=1e-6)
    texts = triton.InferInput("text", [2], "BYTES")
    texts.set_data_from_numpy(np.array(["win a free prize now", "see you at home"], dtype=object))
    labels = client.infer("spam", [texts]).as_numpy("label")
    assert labels is not None
    assert labels.tolist() == [b"spam", b"ham"]
    client.close()


@pytest.mark.parametrize("form", ["csv", "rows", "columns", "text"])
def test_rows_give_what_predict_gives(server: Running, forecaster: Fitted, form: str) -> None:
    table = forecaster.table[-40:].with_columns(forecaster.table["time"][-40:].dt.to_string("iso").alias("time"))
    bodies: dict[str, Any] = {
        "csv": {"content": forecaster.csv(40), "headers": {"Content-Type": "text/csv"}},
        "rows": {"json": {"rows": table.to_dicts()}},
        "columns": {"json": {"columns": table.to_dict(as_series=False)}},
        "text": {"json": {"csv": forecaster.csv(40)}},
    }
    answer = server.http.post("/v1/models/hourly/predict?levels=80", **bodies[form])
    assert answer.status_code == 200, answer.text
    rows = answer.json()["forecast"]
    truth = forecaster.model.predict(forecaster.table[-40:], levels=80)
    assert [row["time"] for row in rows] == truth["time"].dt.to_string("iso:strict").str.slice(0, 19).to_list()
    np.testing.assert_allclose([row["y"] for row in rows], truth["y"], rtol=1e-6)
    np.testing.assert_allclose([row["low_80"] for row in rows], truth["low_80"], rtol=1e-6)


def test_options_csv_back_and_no_rows(server: Running, forecaster: Fitted) -> None:
    lines = server.http.post(
        "/v1/models/hourly/predict?horizon=2&format=csv", content=forecaster.csv(20)
    ).text.splitlines()
    assert lines[0] == "time,y,low_80,high_80"
    assert len(lines) == 3
    told = server.http.post("/v1/models/hourly/predict", json={"horizon": 1, "recent": 5}).json()
    assert len(told["forecast"]) == 1
    np.testing.assert_allclose(told["forecast"][0]["y"], forecaster.model.predict(horizon=1)["y"][0], rtol=1e-6)
    assert [row["value"] for row in told["recent"]] == forecaster.table["y"][-5:].to_list()


def test_texts_and_sequences(server: Running) -> None:
    model = zoo.load("spam")
    text = "Win a free prize"
    sent: Any
    for sent in ({"content": text}, {"json": {"text": text}}, {"json": {"texts": [text]}}, {"json": [text]}):
        (found,) = server.http.post("/v1/models/spam/predict", **sent).json()["predictions"]
        assert found["label"] == str(model.predict([text])[0])
        np.testing.assert_allclose(list(found["probabilities"].values()), model.predict_proba([text])[0], rtol=1e-6)
    dates = server.http.post("/v1/models/dates/versions/3/predict", json={"texts": ["5 March 2024"]}).json()
    assert (dates["predictions"], dates["version"]) == (["2024-03-05"], "3")
    wave = np.sin(np.arange(20) / 3)
    (value,) = server.http.post("/v1/models/sine/predict", json={"sequences": [wave.tolist()]}).json()["predictions"]
    np.testing.assert_allclose(value, zoo.load("sine").predict([wave[:, None]])[0], rtol=1e-5)


def test_a_table_as_tensor(server: Running) -> None:
    told = server.http.get("/v1/models/co2").json()
    assert told["row"] == "1 week"
    assert told["notes"] == []
    past = zoo.load("co2").context_.values[-104:, :1]
    answer = server.http.post("/v2/models/co2/infer", json={"inputs": [tensor(past[None])]})
    assert answer.status_code == 200, answer.text
    np.testing.assert_allclose(answer.json()["outputs"][0]["data"], zoo.load("co2").predict()["co2"], rtol=1e-5)

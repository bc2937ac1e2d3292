// The texts that an ONNX file carries about itself, which onnxruntime-web doesn't hand out.

// {key: value} of ModelProto.metadata_props, field 14: pairs of field 1, the key, and field 2, the value.
export function metadata(bytes) {
  const found = {}, text = part => new TextDecoder().decode(part);
  for (const [number, part] of fields(bytes)) {
    if (number !== 14) continue;
    const pair = new Map(fields(part));
    found[text(pair.get(1))] = text(pair.get(2));
  }
  return found;
}

// The fields of a protocol buffer's message that hold bytes: [number, bytes].
function* fields(bytes) {
  let at = 0;
  const integer = () => {
    let value = 0, scale = 1, byte;
    do {
      if (at >= bytes.length) throw new Error("model.onnx: expected an ONNX file, got one that is cut off; export it again.");
      byte = bytes[at++];
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte > 127);
    return value;
  };
  while (at < bytes.length) {
    const key = integer(), kind = key % 8;
    if (kind === 0) integer();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) {
      const length = integer();
      yield [Math.floor(key / 8), bytes.subarray(at, at + length)];
      at += length;
    } else throw new Error("model.onnx: expected an ONNX file, got something else; export it with seqloom export.");
  }
}

// The last rows of a CSV file's columns, as numbers.

// Row by row, oldest first; throws an Error in one sentence, with line and column, for what can't be read.
export function latest(name, text, columns, rows) {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  while (lines.length && !lines.at(-1).trim()) lines.pop();
  if (!lines.length) throw new Error(`${name}: expected a table, got an empty file; choose another file.`);
  const between = [",", ";", "\t"].map(mark => [lines[0].split(mark).length, mark]).sort((a, b) => b[0] - a[0])[0][1];
  const cells = line => line.split(between).map(cell => cell.trim().replace(/^"(.*)"$/, "$1"));
  const header = cells(lines[0]);
  const places = columns.map(column => {
    const place = header.indexOf(column);
    if (place < 0)
      throw new Error(`${name}, line 1: expected a column named '${column}', got ${header.map(h => `'${h}'`).join(", ")}; give a table with the columns that the model was trained on.`);
    return place;
  });
  if (lines.length - 1 < rows)
    throw new Error(`${name}: expected at least ${rows} rows below the header, got ${lines.length - 1}; give a longer table.`);
  const first = lines.length - rows;
  return lines.slice(first).map((line, n) => {
    const row = cells(line);
    return places.map((place, c) => {
      const value = row[place] === undefined || row[place] === "" ? NaN : Number(row[place]);
      if (!Number.isFinite(value))
        throw new Error(`${name}, line ${first + n + 1}, column '${columns[c]}': expected a number, got '${row[place] ?? ""}'; repair the cell.`);
      return value;
    });
  });
}

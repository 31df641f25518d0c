const CONVERT = {
  integer: (text) => (/^-?\d+$/.test(text) ? Number(text) : undefined),
  number: (text) => (text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : undefined),
  boolean: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
  date: (text) => (Number.isNaN(Date.parse(text)) ? undefined : text),
  string: (text) => text,
};

async function main(input) {
  const text = input.file === undefined ? input.csv || input.input : await readFile(input.file);
  const [head = [], ...rows] = parseCsv(text.replace(/^\uFEFF/, ''), input.delimiter || ',');
  const names = head.map((name) => name.trim());
  const columns = (input.schema?.columns || names.map((name) => ({ name, type: 'string' }))).map((column) => {
    const index = names.indexOf(column.name);
    if (index < 0) throw new DataError(`The column "${column.name}" of the schema is not in the data`);
    return { ...column, index, target: input.rename?.[column.name] || column.name };
  });
  const data = rows.map((row, i) => Object.fromEntries(columns.map((column) => [column.target, value(column, row[column.index], i + 2)])));
  console.info(`Transformed ${data.length} rows`);
  return { row_count: data.length, columns: columns.map(({ target, type }) => ({ name: target, type })), data, statistics: statistics(columns, data) };
}

function value({ name, type }, text, row) {
  if (text === undefined || text === '') return null;
  const converted = CONVERT[type](text);
  if (converted === undefined) throw new DataError(`Row ${row}, column "${name}": "${text}" is no ${type}`);
  return converted;
}

function statistics(columns, data) {
  return columns
    .filter(({ type }) => type === 'integer' || type === 'number')
    .map(({ target }) => {
      const values = data.map((row) => row[target]).filter((one) => one !== null);
      const sum = values.reduce((a, b) => a + b, 0);
      return { column: target, count: values.length, sum, mean: values.length === 0 ? null : sum / values.length };
    });
}

// Quotes may hold separators, line breaks and doubled quotes (RFC 4180).
function parseCsv(text, delimiter) {
  const rows = [];
  let row = [];
  let field = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quoted) {
      if (char !== '"') field += char;
      else if (text[i + 1] === '"') field += text[++i];
      else quoted = false;
    } else if (char === '"' && field === '') quoted = true;
    else if (char === delimiter) {
      row.push(field);
      field = '';
    } else if (char === '\n' || char === '\r') {
      if (char === '\r' && text[i + 1] === '\n') i++;
      row.push(field);
      if (row.length > 1 || field !== '') rows.push(row);
      row = [];
      field = '';
    } else field += char;
  }
  if (quoted) throw new DataError(`A quote opened before the end is never closed (after row ${rows.length})`);
  row.push(field);
  if (row.length > 1 || field !== '') rows.push(row);
  return rows;
}

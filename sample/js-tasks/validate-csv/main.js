const MAX_ERRORS = 100;

function main(input) {
  const text = input.file === undefined ? input.csv || input.input : readFile(input.file);
  const [head, ...rows] = parseCsv(text.replace(/^\uFEFF/, ''), input.delimiter || ',');
  const errors = [];
  const report = (row, column, message) => errors.length < MAX_ERRORS && errors.push({ row, column, message });
  if (!head) {
    return { valid: false, row_count: 0, errors: [{ row: 1, column: '', message: 'the file is empty' }], detected_schema: { columns: [] } };
  }
  const names = head.map((name) => name.trim());
  names.forEach((name, i) => {
    if (name === '') report(1, `#${i + 1}`, 'the column has no name');
    else if (names.indexOf(name) !== i) report(1, name, 'the name of the column is used twice');
  });
  // Row numbers count the header, as an editor would.
  rows.forEach((row, i) => {
    if (row.length !== names.length) report(i + 2, '', `expected ${names.length} fields, found ${row.length}`);
  });
  const columns = names.map((name, i) => detect(name, rows.map((row) => row[i])));
  for (const required of input.required_columns || []) {
    if (!names.includes(required)) report(1, required, 'the column is missing');
  }
  console.info(errors.length === 0 ? `${rows.length} rows are valid` : `${errors.length} problems found`);
  return { valid: errors.length === 0, row_count: rows.length, errors, detected_schema: { columns } };
}

const TYPES = [
  ['integer', /^-?\d+$/],
  ['number', /^-?\d+(\.\d+)?$/],
  ['boolean', /^(true|false)$/],
  ['date', /^\d{4}-\d{2}-\d{2}$/],
];

function detect(name, values) {
  const filled = values.filter((value) => value !== undefined && value !== '');
  const [type] = (filled.length > 0 && TYPES.find(([, pattern]) => filled.every((value) => pattern.test(value)))) || ['string'];
  return { name, type, nullable: filled.length < values.length };
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

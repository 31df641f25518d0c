function main(input) {
  const text = input.csv === undefined ? readFile(input.file) : input.csv;
  const rows = parseCsv(text.replace(/^\uFEFF/, ''), input.delimiter || ',');
  const columns = input.header === false ? rows[0].map((_, index) => `column_${index + 1}`) : rows.shift().map((name) => name.trim());
  const limit = input.limit === undefined ? rows.length : input.limit;
  console.info(`Parsed ${rows.length} rows of ${columns.length} columns`);
  return {
    columns,
    row_count: rows.length,
    rows: rows.slice(0, limit).map((row) => Object.fromEntries(columns.map((name, i) => [name, typed(row[i])]))),
  };
}

function typed(text) {
  if (text === undefined || text === '') return null;
  if (text === 'true' || text === 'false') return text === 'true';
  // 007 and +49 are labels, not numbers.
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(text) ? Number(text) : text;
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

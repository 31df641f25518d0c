const COMPARE = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  gt: (a, b) => a > b,
  gte: (a, b) => a >= b,
  lt: (a, b) => a < b,
  lte: (a, b) => a <= b,
  contains: (a, b) => String(a).includes(String(b)),
};

async function main(input) {
  let rows = await rowsOf(input);
  const total = rows.length;
  for (const { field, op, value } of input.filters || []) rows = rows.filter((row) => COMPARE[op](row[field], value));
  if (input.sort_by) rows = [...rows].sort((a, b) => (a[input.sort_by] < b[input.sort_by] ? -1 : a[input.sort_by] > b[input.sort_by] ? 1 : 0));
  if (input.descending) rows = rows.reverse();
  console.info(`${rows.length} of ${total} rows match`);
  const groups = input.group_by ? Object.groupBy(rows, (row) => String(row[input.group_by])) : null;
  return {
    total,
    matched: rows.length,
    rows: rows.slice(0, input.limit === undefined ? 100 : input.limit),
    summary: summary(rows),
    groups: groups && Object.entries(groups).map(([value, members]) => ({ value, count: members.length, summary: summary(members) })),
  };
}

async function rowsOf({ input, csv, file }) {
  if (Array.isArray(input)) return input;
  const text = typeof input === 'string' ? input : csv === undefined ? await readFile(file) : csv;
  if (text.trimStart().startsWith('[')) return JSON.parse(text);
  const [columns = [], ...rows] = parseCsv(text.replace(/^\uFEFF/, ''), ',');
  return rows.map((row) => Object.fromEntries(columns.map((name, i) => [name.trim(), /^-?\d+(\.\d+)?$/.test(row[i]) ? Number(row[i]) : row[i]])));
}

// Of every field that holds numbers: how many, and their sum, mean and range.
function summary(rows) {
  const fields = {};
  for (const row of rows) {
    for (const [field, value] of Object.entries(row)) {
      if (typeof value !== 'number') continue;
      const of = (fields[field] ||= { count: 0, sum: 0, min: value, max: value });
      of.count++;
      of.sum += value;
      of.min = Math.min(of.min, value);
      of.max = Math.max(of.max, value);
    }
  }
  for (const of of Object.values(fields)) of.mean = of.sum / of.count;
  return fields;
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

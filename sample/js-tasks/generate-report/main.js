// A PDF is text: numbered objects, a table of their offsets (xref), and a trailer that points to both.
const WIDTH = 595;
const HEIGHT = 842;
const MARGIN = 50;
const LINE = 14;
const LINES_PER_PAGE = Math.floor((HEIGHT - 2 * MARGIN) / LINE);
const MAX_ROWS = 200;

function main(input) {
  const title = input.title || 'Report';
  const lines = [title, '', ...linesOf(input.data, '')];
  const pages = [];
  for (let i = 0; i < lines.length; i += LINES_PER_PAGE) pages.push(lines.slice(i, i + LINES_PER_PAGE));
  const pdf = document(title, pages);
  console.info(`Wrote ${pages.length} pages, ${pdf.length} bytes`);
  return { format: 'pdf', media_type: 'application/pdf', encoding: 'base64', pages: pages.length, bytes: pdf.length, content: btoa(pdf) };
}

function linesOf(data, indent) {
  if (Array.isArray(data)) {
    const lines = data.slice(0, MAX_ROWS).flatMap((row) => (isPlain(row) ? [`${indent}- ${row}`] : [`${indent}- ${flat(row)}`]));
    if (data.length > MAX_ROWS) lines.push(`${indent}... and ${data.length - MAX_ROWS} more`);
    return lines.flatMap(wrap);
  }
  if (isPlain(data)) return wrap(`${indent}${data}`);
  return Object.entries(data).flatMap(([name, value]) =>
    isPlain(value) ? wrap(`${indent}${name}: ${value}`) : [`${indent}${name}:`, ...linesOf(value, `${indent}  `)],
  );
}

const isPlain = (value) => value === null || typeof value !== 'object';
const flat = (row) => Object.entries(row).map(([name, value]) => `${name}: ${isPlain(value) ? value : JSON.stringify(value)}`).join(', ');
const wrap = (line) => line.match(/.{1,90}/gs) || [''];

// One byte a character (WinAnsi), so that offsets can be counted in characters.
const escaped = (text) => text.replace(/[^\x20-\x7e\xa0-\xff]/g, '?').replace(/[\\()]/g, '\\$&');

function document(title, pages) {
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Kids [${pages.map((_, i) => `${5 + 2 * i} 0 R`).join(' ')}] /Count ${pages.length} >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>',
    `<< /Title (${escaped(title)}) /Producer (Ratchet) >>`,
  ];
  for (const [i, lines] of pages.entries()) {
    const text = lines.map((line) => `(${escaped(line)}) Tj T*`).join('\n');
    const stream = `BT\n/F1 9 Tf\n${LINE} TL\n${MARGIN} ${HEIGHT - MARGIN} Td\n${text}\nET`;
    objects.push(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${WIDTH} ${HEIGHT}] /Resources << /Font << /F1 3 0 R >> >> /Contents ${6 + 2 * i} 0 R >>`);
    objects.push(`<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`);
  }
  // Four bytes above 127 tell that the file is binary.
  let pdf = '%PDF-1.4\n%\xe2\xe3\xcf\xd3\n';
  const offsets = objects.map((object, i) => {
    const offset = pdf.length;
    pdf += `${i + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const xref = pdf.length;
  pdf += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`;
  for (const offset of offsets) pdf += `${String(offset).padStart(10, '0')} 00000 n \n`;
  return `${pdf}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R /Info 4 0 R >>\nstartxref\n${xref}\n%%EOF\n`;
}

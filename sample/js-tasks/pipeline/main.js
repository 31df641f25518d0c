// Each runTask is a recorded step with an execution of its own: after a crash, finished ones are not run again.
async function main(input) {
  const source = input.file === undefined ? { csv: input.csv } : { file: input.file };

  reportProgress({ progress: 0, step: 'validate', message: 'Validating' });
  const validation = await runTask('validate-csv', source);
  if (!validation.valid) {
    console.warn('The data is not valid', { errors: validation.errors.slice(0, 5) });
    throw new ValidationError(`The data has ${validation.errors.length} problems, the first in row ${validation.errors[0].row}: ${validation.errors[0].message}`);
  }

  reportProgress({ progress: 0.33, step: 'transform', message: `Transforming ${validation.row_count} rows` });
  const transformed = await runTask('transform-data', { ...source, schema: validation.detected_schema });

  reportProgress({ progress: 0.66, step: 'report', message: 'Writing the report' });
  const report = await runTask('generate-report', {
    title: input.title || 'Data report',
    format: 'pdf',
    data: { rows: transformed.row_count, columns: transformed.columns, statistics: transformed.statistics, sample: transformed.data.slice(0, 20) },
  });

  reportProgress({ progress: 1, step: 'done', message: 'Done' });
  return { row_count: transformed.row_count, columns: transformed.columns, statistics: transformed.statistics, report };
}

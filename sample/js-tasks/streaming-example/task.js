// Whoever watches the execution sees each report as it is made.
async function main({ items, batch_size = 10, delay_ms = 0 }) {
  let checksum = 0;
  let batches = 0;
  for (let done = 0; done < items; ) {
    const end = Math.min(done + batch_size, items);
    while (done < end) checksum += ++done ** 2;
    batches++;
    reportProgress({
      progress: done / items,
      step: `batch ${batches}`,
      message: `${done} of ${items} items`,
      data: { checksum },
    });
    if (delay_ms > 0 && done < items) await sleep(delay_ms);
  }
  return { processed: items, batches, checksum };
}

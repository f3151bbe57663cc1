/** @returns the fields that an answer refuses. It has to be 422 with the code VALIDATION_FAILED. */
export async function refusedFields(response: Response): Promise<string[]> {
  const { code, errors = [] } = (await response.json()) as { code?: string; errors?: { field: string }[] };
  expect([response.status, code]).toEqual([422, 'VALIDATION_FAILED']);
  return errors.map(({ field }) => field);
}

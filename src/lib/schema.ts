/** The part of Standard Schema (https://standardschema.dev) that this package uses. Schemas of zod, Valibot and ArkType fit unchanged. */
export interface Schema<Output> {
  readonly '~standard': {
    validate(value: unknown): SchemaResult<Output> | Promise<SchemaResult<Output>>;
  };
}

/** The result of a validation: the parsed value, or the issues that were found. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly unknown[] };

// %RESPONSE_FLAGS% and %RESPONSE_CODE_DETAILS%, see Envoy's access log documentation and
// source/common/stream_info/utility.h. The details name the one reason that ended the stream, so they go
// before the flags. A connection that Envoy itself closed (downstream_local_…, DT, OM, SI) tells of neither side.
const clientFlags = ['DC', 'DR', 'DPE'];
const upstreamFlags = ['UC', 'UF', 'UH', 'UMSDR', 'UO', 'UPE', 'UR', 'URX', 'UT', 'LR', 'DF'];
const quoted = (flags: string[]) => `ARRAY[${flags.map((flag) => `'${flag}'`).join(', ')}]`;

/** Who ended a call that a witness tells of, in SQL; NULL: it does not tell. */
export const verdict = `CASE
    WHEN code_details LIKE 'downstream\\_remote%' OR code_details LIKE 'http_.remote\\_reset%' THEN 'disconnected'
    WHEN code_details LIKE 'upstream\\_%' THEN 'upstream_error'
    WHEN code_details LIKE 'downstream\\_local%' THEN NULL
    WHEN string_to_array(response_flags, ',') && ${quoted(upstreamFlags)} THEN 'upstream_error'
    WHEN string_to_array(response_flags, ',') && ${quoted(clientFlags)} THEN 'disconnected'
  END`;

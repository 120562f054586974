-- A letter sent again is one letter.
CREATE UNIQUE INDEX dead_letters_span ON dead_letters (md5(span::text));

-- NaN and infinities would spoil every sum they enter; to numeric, NaN is greater than Infinity.
ALTER TABLE usage
  ADD CHECK (cost_usd BETWEEN 0 AND 1e9),
  ADD CHECK (saved_usd BETWEEN 0 AND 1e9),
  ADD CHECK (first_chunk_ms BETWEEN 0 AND 1e12);

\echo Use "CREATE EXTENSION scoreline" to load this file. \quit

-- STABLE, not IMMUTABLE: another model file may take the name, though not within a query.
CREATE FUNCTION scoreline(model text, VARIADIC features "any") RETURNS double precision
	AS 'MODULE_PATHNAME', 'scoreline_score' LANGUAGE C STABLE PARALLEL SAFE COST 100;

COMMENT ON FUNCTION scoreline(text, "any") IS
	'score of one row: features in the model''s order, or VARIADIC an array of them, or a row with columns of their names';

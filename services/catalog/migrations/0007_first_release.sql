-- There is no upgrade from before the first release: definitions of then name neither the entry that each item has
-- to show nor the rules in their present form, and their version numbers mean other editions. Nothing converts
-- them, so a database that holds one is refused as a whole rather than read half.
DO $$
DECLARE
    old text;
BEGIN
    SELECT string_agg(code || ' v' || version, ', ' ORDER BY code, version) INTO old
    FROM item_version
    WHERE jsonb_typeof(definition::jsonb -> 'entry') IS DISTINCT FROM 'object';
    IF old IS NOT NULL THEN
        RAISE EXCEPTION 'item_version holds definitions from before the first release (%): there is no upgrade, create the database anew', old;
    END IF;
END
$$;

namespace KafkaEventSourcing.Avro.Schemas;

/// <summary>
/// Schema resolution of the Avro specification 1.12: how a reader's schema takes what a writer's schema wrote. Its result is both the
/// verdict on whether the two are compatible and what readers are made from, so that what is called compatible can be read.
/// </summary>
/// <remarks>
/// Beyond the specification, which has every logical type read as its plain type: values that have logical types on both sides mean the
/// same afterwards, or are refused (<see cref="LogicalType.Conflict"/>); a field of the writer goes to one field of the reader, or is
/// refused.
/// </remarks>
internal sealed class SchemaResolver
{
    // A schema may name types within types as often as it has room for: from here on they wait for their turn instead of the stack.
    private const int MostNested = 100;
    private const int LongestPath = 500;

    private readonly Dictionary<(RecordSchema, RecordSchema), RecordResolution> _records = [];
    private readonly Queue<(RecordResolution Record, string Path)> _waiting = [];
    private readonly List<string> _problems = [];

    private SchemaResolver()
    {
    }

    /// <summary>
    /// How <paramref name="reader"/> takes values of <paramref name="writer"/>, and why some or all values cannot be read, each with its
    /// path; all can when there is no problem.
    /// </summary>
    public static (Resolution Resolution, IReadOnlyList<string> Problems) Resolve(AvroSchema reader, AvroSchema writer)
    {
        var resolver = new SchemaResolver();
        Resolution resolution = resolver.Resolve(reader, writer, "", 0);
        while (resolver._waiting.TryDequeue(out (RecordResolution Record, string Path) next))
            resolver.ResolveFields(next.Record, next.Path, 0);
        RecordResolution.Settle(resolver._records.Values);
        return (resolution, resolver._problems);
    }

    /// <summary>
    /// Why some or all values of <paramref name="writer"/> cannot be read by <paramref name="reader"/>; empty when all can.
    /// </summary>
    public static IReadOnlyList<string> Problems(AvroSchema reader, AvroSchema writer) => Resolve(reader, writer).Problems;

    private Resolution Resolve(AvroSchema reader, AvroSchema writer, string path, int nested)
    {
        if (writer is UnionSchema written)
            return new UnionResolution([.. written.Branches.Select(branch => Resolve(reader, branch, path, nested + 1))]);
        if (reader is UnionSchema union)
        {
            int branch = BranchFor(union, writer);
            return branch >= 0
                ? new BranchResolution(union, branch, Resolve(union.Branches[branch], writer, path, nested + 1))
                : Refused(path, $"no branch of the reader's union {union} takes {writer}");
        }

        if (!Matches(reader, writer))
        {
            return Refused(path, reader is NamedSchema && reader.Kind == writer.Kind
                ? reader is FixedSchema named && writer is FixedSchema other && IsCalled(named, other)
                    ? $"{writer} has {other.Size} bytes, the reader's {named.Size}"
                    : $"{writer} is not {reader}"
                : $"{writer} cannot be read as {reader}");
        }

        if (LogicalType.Conflict(writer, reader) is { } conflict)
            return Refused(path, conflict);
        return (reader, writer) switch
        {
            (ArraySchema r, ArraySchema w) => new ArrayResolution(Resolve(r.Items, w.Items, path + "/items", nested + 1)),
            (MapSchema r, MapSchema w) => new MapResolution(Resolve(r.Values, w.Values, path + "/values", nested + 1)),
            (FixedSchema r, FixedSchema w) => new FixedResolution(w, r),
            (EnumSchema r, EnumSchema w) => ResolveEnum(r, w, path),
            (RecordSchema r, RecordSchema w) => ResolveRecord(r, w, path, nested),
            _ => new PrimitiveResolution(writer, reader),
        };
    }

    private EnumResolution ResolveEnum(EnumSchema reader, EnumSchema writer, string path)
    {
        int fallback = reader.Default is { } symbol ? reader.IndexOf(symbol) : -1;
        int[] symbols = [.. writer.Symbols.Select(s => reader.IndexOf(s) is >= 0 and int known ? known : fallback)];
        if (symbols.Contains(-1))
            AddProblem(path,
                $"the enum {reader.FullName} lacks {string.Join(", ", writer.Symbols.Where((_, i) => symbols[i] < 0))} and has no default");
        return new EnumResolution(writer, reader, symbols);
    }

    private RecordResolution ResolveRecord(RecordSchema reader, RecordSchema writer, string path, int nested)
    {
        if (_records.TryGetValue((reader, writer), out RecordResolution? known))
            return known;
        var resolution = new RecordResolution(writer, reader);
        _records.Add((reader, writer), resolution);
        if (nested < MostNested)
            ResolveFields(resolution, path, nested);
        else
            _waiting.Enqueue((resolution, path.Length <= LongestPath ? path : "…" + path[^LongestPath..]));
        return resolution;
    }

    private void ResolveFields(RecordResolution record, string path, int nested)
    {
        (RecordSchema writer, RecordSchema reader) = (record.Writer, record.Reader);
        var lost = new List<string>();
        int[] takers = TakersOf(reader, writer, lost);
        int[] absent = [.. Enumerable.Range(0, reader.Fields.Count).Except(takers)];
        lost.AddRange(absent.Select(place => AbsenceProblem(reader.Fields[place])).OfType<string>());
        foreach (string problem in lost)
            AddProblem(path, problem);

        var steps = new FieldStep[takers.Length];
        for (int i = 0; i < takers.Length; i++)
        {
            int taker = takers[i];
            steps[i] = new FieldStep(writer.Fields[i], taker, taker < 0 ? null
                : Resolve(reader.Fields[taker].Schema, writer.Fields[i].Schema, $"{path}/{reader.Fields[taker].Name}", nested + 1));
        }

        record.Fill(steps, absent, lost);
    }

    private static string? AbsenceProblem(SchemaField field)
    {
        if (field.Default is not { } value)
            return $"the field {field.Name} is not in the writer's schema and has no default";
        return SchemaDefault.Problem(field.Schema, value) is { } unfit
            ? $"the field {field.Name} is not in the writer's schema, and its default cannot be used: {unfit}"
            : null;
    }

    // For each of the writer's fields the reader's that takes it. By name first: a field that has kept its name is not the one that was
    // renamed.
    private static int[] TakersOf(RecordSchema reader, RecordSchema writer, List<string> problems)
    {
        int[] takers = new int[writer.Fields.Count];
        Array.Fill(takers, -1);
        for (int place = 0; place < reader.Fields.Count; place++)
        {
            if (IndexOf(writer, reader.Fields[place].Name) is >= 0 and int same)
                takers[same] = place;
        }

        for (int place = 0; place < reader.Fields.Count; place++)
        {
            SchemaField field = reader.Fields[place];
            if (takers.Contains(place))
                continue;
            int[] former = [.. field.Aliases.Distinct(StringComparer.Ordinal).Select(alias => IndexOf(writer, alias)).Where(i => i >= 0)];
            if (former.Length > 1)
                problems.Add($"the field {field.Name} has several of the writer's fields as "
                    + $"aliases: {string.Join(", ", former.Select(i => writer.Fields[i].Name))}");
            else if (former.Length == 1 && takers[former[0]] >= 0)
                problems.Add($"the field {field.Name} has the alias {writer.Fields[former[0]].Name}, which is the reader's "
                    + $"field {reader.Fields[takers[former[0]]].Name} too");
            else if (former.Length == 1)
                takers[former[0]] = place;
        }

        return takers;
    }

    private static int IndexOf(RecordSchema record, string name)
    {
        for (int i = 0; i < record.Fields.Count; i++)
        {
            if (record.Fields[i].Name == name)
                return i;
        }

        return -1;
    }

    // The first branch that is of the writer's very type; else the first that its name or an alias makes the same; else the first that it
    // is promoted to.
    private static int BranchFor(UnionSchema union, AvroSchema writer)
    {
        int other = -1;
        for (int i = 0; i < union.Branches.Count; i++)
        {
            AvroSchema branch = union.Branches[i];
            if (!Matches(branch, writer))
                continue;
            if (branch.Kind == writer.Kind && (branch is not NamedSchema named || named.FullName == ((NamedSchema)writer).FullName))
                return i;
            if (other < 0)
                other = i;
        }

        return other;
    }

    // Do the two match, what is in them left aside?
    private static bool Matches(AvroSchema reader, AvroSchema writer) => (reader, writer) switch
    {
        (FixedSchema r, FixedSchema w) => r.Size == w.Size && IsCalled(r, w),
        (NamedSchema r, NamedSchema w) => r.Kind == w.Kind && IsCalled(r, w),
        _ => reader.Kind == writer.Kind || IsPromoted(writer.Kind, reader.Kind),
    };

    // Names count without their namespaces.
    private static bool IsCalled(NamedSchema reader, NamedSchema writer) =>
        reader.Name == writer.Name || reader.Aliases.Any(alias => NamedSchema.Unqualified(alias) == writer.Name);

    private static bool IsPromoted(SchemaKind from, SchemaKind to) => (from, to) switch
    {
        (SchemaKind.Int, SchemaKind.Long or SchemaKind.Float or SchemaKind.Double) => true,
        (SchemaKind.Long, SchemaKind.Float or SchemaKind.Double) => true,
        (SchemaKind.Float, SchemaKind.Double) => true,
        (SchemaKind.String, SchemaKind.Bytes) => true,
        (SchemaKind.Bytes, SchemaKind.String) => true,
        _ => false,
    };

    private Unreadable Refused(string path, string why)
    {
        AddProblem(path, why);
        return new Unreadable($"{At(path)}: {why}");
    }

    private void AddProblem(string path, string why) => _problems.Add($"{At(path)}: {why}");

    private static string At(string path) => path.Length == 0 ? "/" : path;
}

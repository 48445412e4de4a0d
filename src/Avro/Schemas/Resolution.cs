namespace KafkaEventSourcing.Avro.Schemas;

/// <summary>How a value that one schema wrote becomes a value of another; made by <see cref="SchemaResolver"/>.</summary>
internal abstract record Resolution
{
    /// <summary>
    /// Whether the bytes are those that the reader's own schema gives the value, so that code for that schema reads them.
    /// </summary>
    public virtual bool IsIdentity => false;

    /// <summary>Why no value at all can be read, shortened where it is long; null when values can.</summary>
    public virtual string? Problem => null;
}

/// <summary>No value of the writer's schema is one of the reader's.</summary>
internal sealed record Unreadable(string Why) : Resolution
{
    public override string? Problem => Why;
}

/// <summary>A primitive as itself, or as one that takes all its values.</summary>
internal sealed record PrimitiveResolution(AvroSchema Writer, AvroSchema Reader) : Resolution
{
    public override bool IsIdentity => Writer.Kind == Reader.Kind && !IsConverted;

    /// <summary>Whether both say what the value means, in different units.</summary>
    public bool IsConverted => LogicalType.IsConverted(Writer, Reader);
}

/// <summary>A fixed as itself, or as a decimal with more digits behind the point.</summary>
internal sealed record FixedResolution(FixedSchema Writer, FixedSchema Reader) : Resolution
{
    public override bool IsIdentity => !IsConverted;

    /// <summary>Whether both say what the value means, in different units.</summary>
    public bool IsConverted => LogicalType.IsConverted(Writer, Reader);
}

/// <summary>
/// An enum; <paramref name="Symbols"/> has the reader's index for each of the writer's, -1 for those that the reader does not take.
/// </summary>
internal sealed record EnumResolution(EnumSchema Writer, EnumSchema Reader, IReadOnlyList<int> Symbols) : Resolution
{
    public override bool IsIdentity =>
        Symbols.Count == Reader.Symbols.Count && Symbols.Select((symbol, i) => symbol == i).All(same => same);
}

internal sealed record ArrayResolution(Resolution Items) : Resolution
{
    public override bool IsIdentity => Items.IsIdentity;
}

internal sealed record MapResolution(Resolution Values) : Resolution
{
    public override bool IsIdentity => Values.IsIdentity;
}

/// <summary>A union that the writer has: for each of its branches, how that becomes the reader's value.</summary>
internal sealed record UnionResolution(IReadOnlyList<Resolution> Branches) : Resolution
{
    public override bool IsIdentity => Branches.Select((branch, i) => branch is BranchResolution same
        && same.Branch == i
        && same.Reader.Branches.Count == Branches.Count
        && same.Value.IsIdentity).All(same => same);

    public override string? Problem => Branches.Count > 0 && Branches.All(b => b.Problem is not null)
        ? RecordResolution.Joined(Branches.Select(b => b.Problem!))
        : null;
}

/// <summary>A value that becomes the branch <paramref name="Branch"/> of a union that the reader has.</summary>
internal sealed record BranchResolution(UnionSchema Reader, int Branch, Resolution Value) : Resolution
{
    public override string? Problem => Value.Problem;
}

/// <summary>
/// A record. It may contain itself, so it is compared by reference, and what it is because of the records in it is settled last, by
/// <see cref="Settle"/>.
/// </summary>
internal sealed record RecordResolution(RecordSchema Writer, RecordSchema Reader) : Resolution
{
    // What says why may say why for what is in it, and so on: each text is bounded, or they double from record to record.
    private const int LongestProblem = 1_000;

    private bool _isIdentity = true;
    private string? _problem;

    /// <summary>What is read, in the order of the writer's fields.</summary>
    public IReadOnlyList<FieldStep> Steps { get; private set; } = [];

    /// <summary>Places of the reader's fields that the writer does not have: they take their defaults.</summary>
    public IReadOnlyList<int> Defaults { get; private set; } = [];

    public override bool IsIdentity => _isIdentity;

    public override string? Problem => _problem;

    /// <summary>Gives it what is read; later than it is made, as a field may be of the record itself.</summary>
    /// <param name="steps">What is read, in the order of the writer's fields.</param>
    /// <param name="defaults">Places of the reader's fields that take their defaults.</param>
    /// <param name="problems">Why fields have no value.</param>
    public void Fill(IReadOnlyList<FieldStep> steps, IReadOnlyList<int> defaults, IReadOnlyList<string> problems)
    {
        (Steps, Defaults) = (steps, defaults);
        _problem = problems.Count > 0 ? Joined(problems) : null;
    }

    /// <summary>
    /// Finds for all of <paramref name="records"/> whether they can be read, and whether they are the same bytes: what is in them decides,
    /// however deep. It calls no record by another, as there may be as many as a schema has room for.
    /// </summary>
    public static void Settle(IReadOnlyCollection<RecordResolution> records)
    {
        var holders = new Dictionary<RecordResolution, List<(RecordResolution Holder, Resolution Value)>>();
        foreach (RecordResolution holder in records)
        {
            foreach (Resolution value in holder.Steps.Select(step => step.Value).OfType<Resolution>())
            {
                foreach (RecordResolution held in RecordsIn(value))
                {
                    if (!holders.TryGetValue(held, out List<(RecordResolution, Resolution)>? known))
                        holders.Add(held, known = []);
                    known.Add((holder, value));
                }
            }
        }

        foreach (RecordResolution record in records)
            record.SettleByItself();
        var settled = new Queue<RecordResolution>(records.Where(record => record._problem is not null || !record._isIdentity));
        while (settled.TryDequeue(out RecordResolution? record))
        {
            foreach ((RecordResolution holder, Resolution value) in holders.GetValueOrDefault(record) ?? [])
            {
                if (holder.Learns(value))
                    settled.Enqueue(holder);
            }
        }
    }

    /// <summary>Several problems as one text.</summary>
    public static string Joined(IEnumerable<string> problems)
    {
        string all = string.Join("; ", problems);
        return all.Length <= LongestProblem ? all : all[..LongestProblem] + "…";
    }

    public bool Equals(RecordResolution? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

    private void SettleByItself()
    {
        _isIdentity = _problem is null
            && Steps.Count == Reader.Fields.Count
            && Steps.Select((step, i) => step.Field == i && step.Value!.IsIdentity).All(same => same);
        _problem ??= Steps.Select(step => step.Value?.Problem).FirstOrDefault(problem => problem is not null);
    }

    private bool Learns(Resolution value)
    {
        (bool, string?) before = (_isIdentity, _problem);
        _problem ??= value.Problem;
        _isIdentity = _isIdentity && _problem is null && value.IsIdentity;
        return before != (_isIdentity, _problem);
    }

    private static IEnumerable<RecordResolution> RecordsIn(Resolution value) => value switch
    {
        RecordResolution record => [record],
        ArrayResolution array => RecordsIn(array.Items),
        MapResolution map => RecordsIn(map.Values),
        BranchResolution branch => RecordsIn(branch.Value),
        UnionResolution union => union.Branches.SelectMany(RecordsIn),
        _ => [],
    };
}

/// <summary>A field of the writer: the place of the reader's field that takes it, and how; -1: it is skipped.</summary>
internal sealed record FieldStep(SchemaField Written, int Field, Resolution? Value);

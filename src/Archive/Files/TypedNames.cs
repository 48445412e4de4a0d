namespace KafkaEventSourcing.Archive;

/// <summary>What the columns of a table are called: tools that speak SQL do not tell capital letters from small ones.</summary>
internal static class TypedNames
{
    /// <summary>What is put before a field's name that a column of the event's own has.</summary>
    public const string Prefix = "field_";

    /// <summary>A name for each of <paramref name="names"/>: its own where it is free.</summary>
    /// <param name="names">The names of fields or branches.</param>
    /// <param name="taken">What they must not be called.</param>
    public static string[] Assign(IReadOnlyList<string> names, IReadOnlyCollection<string> taken)
    {
        var used = new HashSet<string>(taken, StringComparer.OrdinalIgnoreCase);
        var reserved = new HashSet<string>(taken, StringComparer.OrdinalIgnoreCase);
        string[] assigned = new string[names.Count];
        for (int i = 0; i < assigned.Length; i++)
            assigned[i] = used.Add(names[i]) ? names[i] : "";
        for (int i = 0; i < assigned.Length; i++)
        {
            if (assigned[i].Length > 0)
                continue;
            string name = reserved.Contains(names[i]) ? Prefix + names[i] : names[i];
            assigned[i] = name;
            for (int number = 2; !used.Add(assigned[i]); number++)
                assigned[i] = $"{name}_{number}";
        }

        return assigned;
    }
}

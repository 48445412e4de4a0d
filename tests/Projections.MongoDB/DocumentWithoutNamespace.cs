#pragma warning disable CA1050 // that it has none is the point
public sealed record DocumentWithoutNamespace(string Id, DayOfWeek Weekday, PartWithoutNamespace Part,
    IReadOnlyList<PartWithoutNamespace> Parts);

public sealed record PartWithoutNamespace(Guid Key);

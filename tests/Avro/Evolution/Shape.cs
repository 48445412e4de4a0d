using System.Text;

namespace KafkaEventSourcing.Avro.Tests.Evolution;

/// <summary>A schema as the property tests think of it: apart from the code that they test, down to the JSON.</summary>
internal abstract record Shape
{
    public string Json => Write(new StringBuilder(), []).ToString();

    internal abstract StringBuilder Write(StringBuilder json, HashSet<string> defined);

    /// <summary>What values mean besides their type; precision and scale are of decimals.</summary>
    internal sealed record Meaning(string Name, int Precision = 0, int Scale = 0)
    {
        public string Json => $"\"logicalType\":\"{Name}\"" + (Name == "decimal" ? $",\"precision\":{Precision},\"scale\":{Scale}" : "");
    }

    internal sealed record Plain(string Type, Meaning? Logical = null) : Shape
    {
        internal override StringBuilder Write(StringBuilder json, HashSet<string> defined) =>
            Logical is null ? json.Append($"\"{Type}\"") : json.Append($$"""{"type":"{{Type}}",{{Logical.Json}}}""");
    }

    internal sealed record Many(Shape Items) : Shape
    {
        internal override StringBuilder Write(StringBuilder json, HashSet<string> defined) =>
            Items.Write(json.Append("{\"type\":\"array\",\"items\":"), defined).Append('}');
    }

    internal sealed record Keyed(Shape Values) : Shape
    {
        internal override StringBuilder Write(StringBuilder json, HashSet<string> defined) =>
            Values.Write(json.Append("{\"type\":\"map\",\"values\":"), defined).Append('}');
    }

    internal sealed record Either(IReadOnlyList<Shape> Branches) : Shape
    {
        /// <summary>Whether it is more than a type that may be null.</summary>
        public bool IsGeneral => Branches.Count != 2 || Branches.Count(b => b is Plain { Type: "null" }) != 1;

        internal override StringBuilder Write(StringBuilder json, HashSet<string> defined)
        {
            json.Append('[');
            for (int i = 0; i < Branches.Count; i++)
                Branches[i].Write(i > 0 ? json.Append(',') : json, defined);
            return json.Append(']');
        }
    }

    internal abstract record Named(string Space, string Name, IReadOnlyList<string> Aliases) : Shape
    {
        public string FullName => $"{Space}.{Name}";

        internal override StringBuilder Write(StringBuilder json, HashSet<string> defined)
        {
            if (!defined.Add(FullName))
                return json.Append($"\"{FullName}\"");
            json.Append($$"""{"name":"{{Name}}","namespace":"{{Space}}",""");
            if (Aliases.Count > 0)
                json.Append($"\"aliases\":[{string.Join(',', Aliases.Select(a => $"\"{a}\""))}],");
            return WriteRest(json, defined).Append('}');
        }

        protected abstract StringBuilder WriteRest(StringBuilder json, HashSet<string> defined);
    }

    internal sealed record Symbols(string Space, string Name, IReadOnlyList<string> Aliases, IReadOnlyList<string> All, string? Fallback)
        : Named(Space, Name, Aliases)
    {
        protected override StringBuilder WriteRest(StringBuilder json, HashSet<string> defined) =>
            json.Append($"\"type\":\"enum\",\"symbols\":[{string.Join(',', All.Select(s => $"\"{s}\""))}]").Append(
                Fallback is null ? "" : $",\"default\":\"{Fallback}\"");
    }

    internal sealed record Raw(string Space, string Name, int Size, Meaning? Logical = null) : Named(Space, Name, [])
    {
        protected override StringBuilder WriteRest(StringBuilder json, HashSet<string> defined) =>
            json.Append($"\"type\":\"fixed\",\"size\":{Size}").Append(Logical is null ? "" : "," + Logical.Json);
    }

    internal sealed record Group(string Space, string Name, IReadOnlyList<string> Aliases, IReadOnlyList<Field> Fields)
        : Named(Space, Name, Aliases)
    {
        protected override StringBuilder WriteRest(StringBuilder json, HashSet<string> defined)
        {
            json.Append("\"type\":\"record\",\"fields\":[");
            for (int i = 0; i < Fields.Count; i++)
            {
                Field field = Fields[i];
                json.Append(i > 0 ? "," : "").Append($$"""{"name":"{{field.Name}}","type":""");
                (field.IsSelf
                    ? json.Append($"[\"null\",\"{FullName}\"]")
                    : field.Shape.Write(json, defined)).Append(field.Default is null ? "" : $",\"default\":{field.Default}");
                if (field.Aliases.Count > 0)
                    json.Append($",\"aliases\":[{string.Join(',', field.Aliases.Select(a => $"\"{a}\""))}]");
                json.Append('}');
            }

            return json.Append(']');
        }
    }

    /// <param name="Name">Its name.</param>
    /// <param name="Shape">Its type; of no meaning when it is of its own record.</param>
    /// <param name="Default">JSON.</param>
    /// <param name="Initial">What the default is, as <see cref="Oracle"/> has values.</param>
    /// <param name="Aliases">Names that it had.</param>
    /// <param name="IsSelf">Whether it is null or the record that it is in.</param>
    internal sealed record Field(string Name, Shape Shape, string? Default, object? Initial, IReadOnlyList<string> Aliases,
        bool IsSelf = false);
}
